/** Sends messages on the one connection of a test, in the order in which it is called. */
export interface Wire {
  /** Whether a message without parameters may have several statements. */
  readonly takesScripts: boolean;
  /** That of the server's process, as `pg` tells it. */
  readonly processID?: number | null | undefined;
  send(message: Message): Promise<WireResult | readonly WireResult[]>;
}

/** What is sent. `options` are those of the client that was called, which are passed on. */
export interface Message {
  readonly sql: string;
  readonly values?: readonly unknown[] | undefined;
  readonly options?: object | undefined;
}

/** The parts of a client's result that are used here. */
export interface WireResult {
  readonly command?: string;
  readonly rowCount?: number | null;
  readonly affectedRows?: number;
  readonly rows: readonly any[];
}

/** As `pg` and PGlite answer a statement without rows. */
export function emptyResult(command: string): WireResult {
  return { command, rowCount: null, affectedRows: 0, rows: [], fields: [] } as WireResult;
}

/** Sends statements without parameters, in one message where that can be. */
export async function sendAll(wire: Wire, statements: readonly string[]): Promise<void> {
  if (wire.takesScripts) {
    await wire.send({ sql: statements.join('; ') });
    return;
  }

  for (const sql of statements) {
    await wire.send({ sql });
  }
}
