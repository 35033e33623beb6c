import { TenantError } from './tenant-error.js';

/** The configuration passed to `withTenants()` is invalid. `problems` lists every problem, not only the first. */
export class TenantConfigError extends TenantError {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      'TENANT_CONFIG',
      `The configuration passed to withTenants() is invalid:\n${problems.map(problem => `  - ${problem}`).join('\n')}`,
    );
    this.problems = problems;
  }
}

/** There is no ORM to work with, or it is not clear which one is meant. */
export class OrmSelectionError extends TenantError {
  static withoutTenants(): OrmSelectionError {
    return new OrmSelectionError(
      'ORM_WITHOUT_TENANTS',
      'This ORM was initialised with a config that is not wrapped in withTenants(). ' +
        'Wrap it, `export default withTenants(defineConfig({ … }), { tenant: Client })`, and pass the result to `MikroORM.init()`.',
    );
  }

  static none(): OrmSelectionError {
    return new OrmSelectionError(
      'NO_ORM',
      'No ORM with tenants is open: none was initialised yet, or it was closed. ' +
        'Call `await MikroORM.init(withTenants(…))` first, and close the ORM only when all work is done.',
    );
  }

  static several(count: number): OrmSelectionError {
    return new OrmSelectionError(
      'SEVERAL_ORMS',
      `${count} ORMs with tenants are open. The wrong one could return the wrong data. Pass \`{ orm }\`, or close the others.`,
    );
  }
}
