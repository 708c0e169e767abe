/**
 * Imported before Graphile's packages, which ask for it while they load: without it they print advice for developers, and
 * with any other value error messages may say more than they should. An operator's own value stands.
 */
process.env.GRAPHILE_ENV ??= 'production';
