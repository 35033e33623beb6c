import { objectSeamsOf } from '../seam.js';

const SHARED = ['connection/pool/pooled-tenants.ts'];

const SERVED = 'a tenant is served by a connection that has served it before';

/** What is used where it is there. No guarantee rests on it, so an ORM starts without it too. */
export const POOL_PREFERENCES = objectSeamsOf('Pool', 'pg', {
  _idle: { use: 'write', protects: SERVED, usedIn: SHARED },
  _pendingQueue: { use: 'write', protects: SERVED, usedIn: SHARED },
  _pulseQueue: { use: 'replace', arity: 0, by: 'Pool.connect and the release of a client', protects: SERVED, usedIn: SHARED },
  newClient: { use: 'call', arity: 1, protects: 'a connection is replaced before somebody needs it', usedIn: SHARED },
});
