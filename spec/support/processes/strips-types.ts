/** Lets Node run TypeScript without a loader. Node 24 does so by itself, and accepts the options. */
export const STRIPS_TYPES = ['--experimental-strip-types', '--disable-warning=ExperimentalWarning'] as const;
