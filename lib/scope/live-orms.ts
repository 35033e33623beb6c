import { OrmSelectionError } from '../errors/index.js';
import { innermostScope } from './scope.js';

/** Says which ORM is meant where there are several. */
export interface OrmOption {
  readonly orm?: { readonly config: object };
}

/** The configs of the ORMs with tenants that are initialised and not closed. */
const live = new Set<object>();

export function addLiveOrm(config: object): void {
  live.add(config);
}

export function removeLiveOrm(config: object): void {
  live.delete(config);
}

/**
 * The config of the ORM to work with: the one of `{ orm }`, else the one of the scope the flow is in, else the only live one. A scope outlives
 * its ORM where an application is loaded anew in one process; it then says nothing of which ORM is meant.
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
