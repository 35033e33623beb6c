import { TenantError } from './tenant-error.js';

/** The configuration passed to `withTenants()` is invalid. `problems` lists every problem, not only the first. */
export class TenantConfigError extends TenantError {
  readonly problems: readonly string[];

  /** For installed packages that are not as the guards of this library need them. */
  static brokenSeams(problems: readonly string[]): TenantConfigError {
    return new TenantConfigError(
      [...problems, 'Install versions that this library was tested with, or a version of this library that was tested with yours.'],
      'An installed package has changed where the guards of this library depend on it. Nothing is started, and no SQL was sent',
    );
  }

  /** For a class that extends `TenantMixin`, in a config in which it is not the tenant. */
  static notWrapped(className: string): TenantConfigError {
    return new TenantConfigError(
      [
        `${className} extends TenantMixin, and \`withTenants()\` gives it its primary key. Wrap the config, ` +
          `\`withTenants(defineConfig({ … }), { tenant: ${className} })\`. If it is wrapped and another class is its \`tenant\`, give ${className} a primary key of its own.`,
      ],
      `${className} has no primary key`,
    );
  }

  constructor(problems: readonly string[], fact = 'The configuration passed to withTenants() is invalid') {
    super('TENANT_CONFIG', `${fact}:\n${problems.map(problem => `  - ${problem}`).join('\n')}`);
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

  /** For an ORM that another copy of this package has opened, as one in a bundle. */
  static ofOtherCopy(code: 'NO_ORM' | 'ORM_WITHOUT_TENANTS'): OrmSelectionError {
    return new OrmSelectionError(
      code,
      'This process has loaded the package more than once, and another copy of @landlord/mikro-orm has opened the ORM. ' +
        'A copy works with its own ORMs only. Let the process load one: make the package and all `@mikro-orm/*` packages external in each bundle, ' +
        'install one version, and where a test resets modules, load the package and what opens the ORM together.',
    );
  }

  static several(count: number): OrmSelectionError {
    return new OrmSelectionError(
      'SEVERAL_ORMS',
      `${count} ORMs with tenants are open. The wrong one could return the wrong data. Pass \`{ orm }\`, or close the others.`,
    );
  }
}
