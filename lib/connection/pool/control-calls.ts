import type { DatabaseConnection } from '../statements/kysely-types.js';
import { closeAfterUse } from './server-status.js';

/** Gives a connection what the one below it has to end a statement or its session by. Kysely asks whether that is there. */
export function passControls(connection: DatabaseConnection, inner: DatabaseConnection): void {
  for (const name of ['cancelQuery', 'collectSessionInfo', 'killSession'] as const) {
    if (inner[name] !== undefined) {
      connection[name] = (...args) => {
        // PostgreSQL ends the session a moment after it has said so. Until then the pool would give it to the next one
        if (name === 'killSession') {
          closeAfterUse(inner);
        }

        return inner[name]?.(...args) as Promise<void>;
      };
    }
  }
}
