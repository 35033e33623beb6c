import type { DatabaseConnection, Query, QueryResult } from '../statements/kysely-types.js';

/**
 * Sends a statement, unless whoever wants it has aborted it. Kysely looks before it hands a statement over and ends one that is under way on the server,
 * but knows nothing of what is sent before it for its path, its role or its tenant.
 */
export function executeUnlessAborted(inner: DatabaseConnection, query: Query, options: object | undefined): Promise<QueryResult> {
  throwIfAborted(options);

  return inner.executeQuery(query, options);
}

/** The same of what is read bit by bit. */
export function streamUnlessAborted(
  inner: DatabaseConnection,
  query: Query,
  { chunkSize, options }: { readonly chunkSize: number; readonly options: object | undefined },
): AsyncIterableIterator<QueryResult> {
  throwIfAborted(options);

  return inner.streamQuery(query, chunkSize, options);
}

function throwIfAborted(options: { readonly signal?: AbortSignal } | undefined): void {
  options?.signal?.throwIfAborted();
}
