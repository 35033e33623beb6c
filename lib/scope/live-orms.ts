import { OrmSelectionError } from '../errors/index.js';
import { innermostScope } from './scope.js';

/** Selects an ORM if the process has more than one. */
export interface OrmOption {
  readonly orm?: { readonly config: object };
}

/** The configs of all ORMs with tenants that are initialised and not yet closed. */
const live = new Set<object>();

export function addLiveOrm(config: object): void {
  live.add(config);
  liveOfCopies().add(live);
}

export function removeLiveOrm(config: object): void {
  live.delete(config);

  if (live.size === 0) {
    liveOfCopies().delete(live);
  }
}

export function isLiveOrm(config: object): boolean {
  return live.has(config);
}

/**
 * The config of the ORM to work with: the one of `{ orm }`, else the one of the scope the flow is in, else the only live one.
 *
 * @throws OrmSelectionError `ORM_WITHOUT_TENANTS`, `NO_ORM` or `SEVERAL_ORMS`.
 */
export function selectOrm({ orm }: OrmOption = {}): object {
  if (orm !== undefined) {
    if (!isLiveOrm(orm.config)) {
      throw [...liveOfCopies()].some(other => other.has(orm.config))
        ? OrmSelectionError.ofOtherCopy('ORM_WITHOUT_TENANTS')
        : OrmSelectionError.withoutTenants();
    }

    return orm.config;
  }

  // a scope may outlive its ORM, if an application is loaded anew in one process
  for (let scope = innermostScope(); scope !== undefined; scope = scope.outer) {
    if (live.has(scope.config)) {
      return scope.config;
    }
  }

  if (live.size > 1) {
    throw OrmSelectionError.several(live.size);
  }

  for (const config of live) {
    return config;
  }

  throw liveOfCopies().size > 0 ? OrmSelectionError.ofOtherCopy('NO_ORM') : OrmSelectionError.none();
}

/**
 * What is live in each copy of this package in the process. A bundler may include the package in several bundles, and a test runner may load it anew.
 * Each copy has its own scopes, so none works with the ORM of another. They know of each other for the sake of the error alone.
 */
function liveOfCopies(): Set<ReadonlySet<object>> {
  return ((globalThis as { landlordLiveOrms?: Set<ReadonlySet<object>> }).landlordLiveOrms ??= new Set());
}
