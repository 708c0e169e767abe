/** How many random sequences are tried: PROPERTY_RUNS, or as many as a minute allows. */
export const RUNS = Number(process.env.PROPERTY_RUNS || 60);
