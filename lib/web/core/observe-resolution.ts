import type { TenantObserver } from '../../scope/observer.js';
import type { Identification } from './identification.js';

/** Says who is meant, and tells telemetry of it. */
export function observeResolution(
  observer: TenantObserver,
  identify: () => Identification | Promise<Identification>,
): Identification | Promise<Identification> {
  const startedAt = Date.now();
  const tell = (found: Identification | { readonly kind: 'error'; readonly code: string }, hasWaited: boolean): void =>
    observer.resolved({
      outcome: 'code' in found ? found.code : 'error' in found && found.kind !== 'redirected' ? found.error.code : found.kind,
      schemaName: found.kind === 'tenant' ? found.schemaName : undefined,
      startedAt,
      hasWaited,
    });
  const fail = (error: unknown, hasWaited: boolean): never => {
    tell({ kind: 'error', code: codeOf(error) }, hasWaited);
    throw error;
  };

  try {
    const found = identify();

    if (!(found instanceof Promise)) {
      tell(found, false);

      return found;
    }

    return found.then(
      each => {
        tell(each, true);

        return each;
      },
      (error: unknown) => fail(error, true),
    );
  } catch (error) {
    return fail(error, false);
  }
}

/** One of few, so that an error of the user's own makes no series for each of its codes. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && error.code === 'RESOLVER_FAILED' ? error.code : 'ERROR';
}
