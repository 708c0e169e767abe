import fc from 'fast-check';

// Random stories are the same ones every time, so that a failure is the change's own. PROPERTY_SEED names other ones, and
// "random" takes new ones each time.
const { PROPERTY_SEED: seed = '1' } = process.env;
if (seed !== 'random') fc.configureGlobal({ seed: Number(seed) });
