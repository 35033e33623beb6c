import { TenantError } from './tenant-error.js';

/** The configuration given to `withTenants` cannot work. `problems` has all that is wrong, not only the first. */
export class TenantConfigError extends TenantError {
  readonly problems: readonly string[];

  /** For installed packages that are not as the guards of this library need them. */
  static brokenSeams(problems: readonly string[]): TenantConfigError {
    return new TenantConfigError(
      [...problems, 'Install versions that this library was tested with, or a version of this library that was tested with yours.'],
      'An installed package has changed where the guards of this library depend on it, so the ORM does not start. No SQL was sent',
    );
  }

  constructor(problems: readonly string[], fact = 'The configuration given to withTenants() cannot work') {
    super('TENANT_CONFIG', `${fact}:\n${problems.map(problem => `  - ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/** No ORM to work with, or more than one: which is meant has to be said. */
export class OrmSelectionError extends TenantError {
  static withoutTenants(): OrmSelectionError {
    return new OrmSelectionError(
      'ORM_WITHOUT_TENANTS',
      'This ORM was initialised from a config that withTenants() has not wrapped. ' +
        'Wrap it: `export default withTenants(defineConfig({ … }), { tenant: Client })`, and pass that to `MikroORM.init()`.',
    );
  }

  static none(): OrmSelectionError {
    return new OrmSelectionError(
      'NO_ORM',
      'No ORM with tenants is initialised, so there is none to work with. ' +
        'Call `await MikroORM.init(withTenants(…))` first, or, if it was closed, before it is closed.',
    );
  }

  static several(count: number): OrmSelectionError {
    return new OrmSelectionError(
      'SEVERAL_ORMS',
      `${count} ORMs with tenants are live, and choosing one could serve another's data. Say which: pass \`{ orm }\`, or close the others.`,
    );
  }
}
