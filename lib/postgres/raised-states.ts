/** The SQLSTATEs that the triggers of this library raise. PostgreSQL leaves the class `LL` to others. Migrations contain them, so they never change. */
export const RAISED = {
  hostTaken: 'LL001',
  hostsNeedReadCommitted: 'LL002',
  hostNotCanonical: 'LL003',
} as const;
