/** Exit codes. */
export const EXIT = {
  done: 0,
  /** Some tenants failed or were not started, or `check` found something to do. */
  failed: 1,
  /** The command was refused. Nothing was run. */
  refused: 2,
  /** Ended by a second signal. 130 is the shell convention for SIGINT. */
  interrupted: 130,
} as const;
