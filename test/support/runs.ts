/** How many random stories a property tries: so many, or PROPERTY_RUNS for each of them. */
export const runs = (usual: number): number => Number(process.env.PROPERTY_RUNS || usual);
