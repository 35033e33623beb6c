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
}

export function removeLiveOrm(config: object): void {
  live.delete(config);
}

/**
 * The config of the ORM to work with: the one of `{ orm }`, else the one of the scope the flow is in, else the only live one.
 *
 * @throws OrmSelectionError `ORM_WITHOUT_TENANTS`, `NO_ORM` or `SEVERAL_ORMS`.
 */
export function selectOrm({ orm }: OrmOption = {}): object {
  if (orm !== undefined) {
    if (!live.has(orm.config)) {
      throw OrmSelectionError.withoutTenants();
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

  throw OrmSelectionError.none();
}
