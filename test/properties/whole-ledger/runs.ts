/** How many random stories are tried: PROPERTY_RUNS, or what half a minute allows. */
export const RUNS = Number(process.env.PROPERTY_RUNS || 120);
