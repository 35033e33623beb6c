import type { DatabaseConnection } from '../statements/kysely-types.js';

/** Gives a connection what the one below it has to end a statement or its session by. Kysely asks whether that is there. */
export function passControls(connection: DatabaseConnection, inner: DatabaseConnection): void {
  for (const name of ['cancelQuery', 'collectSessionInfo', 'killSession'] as const) {
    if (inner[name] !== undefined) {
      connection[name] = (...args) => inner[name]?.(...args) as Promise<void>;
    }
  }
}
