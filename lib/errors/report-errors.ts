import { TenantError, show } from './tenant-error.js';

/** A report over tenants was asked for what it cannot do, or tenants were renamed meanwhile. */
export class ReportError extends TenantError {
  static withoutReason(): ReportError {
    return new ReportError(
      'REPORT_USAGE',
      '`acrossTenants()` was called without a reason. It reads the rows of many tenants, so it has to be said why. Nothing was read. Pass `{ reason: "billing" }`.',
    );
  }

  static notTenantEntity(className: string, why = 'it has no table in the schemas of tenants'): ReportError {
    return new ReportError(
      'REPORT_USAGE',
      `${show(className)} cannot be read across tenants: ${why}. Nothing was read. Read it with \`em.find()\`.`,
    );
  }

  static notAColumn(className: string, property: string, use: string, why = 'it is not one column of the entity’s own table'): ReportError {
    return new ReportError(
      'REPORT_USAGE',
      `${show(property)} of ${className} cannot be used for ${use}: ${why}. Nothing was read. Use another property.`,
    );
  }

  static notADirection(property: string, direction: unknown): ReportError {
    return new ReportError(
      'REPORT_USAGE',
      `The order of ${show(property)} is ${show(direction)}. Nothing was read. Use "asc" or "desc", with "nulls first" or "nulls last" after it if you like.`,
    );
  }

  static notAnAggregate(name: string): ReportError {
    return new ReportError(
      'REPORT_USAGE',
      `The aggregate ${show(name)} is none. Nothing was read. Use "count", or one of { count }, { sum }, { avg }, { min } and { max } with the name of a property.`,
    );
  }

  static notANumber(option: string, value: unknown, least: number): ReportError {
    return new ReportError('REPORT_USAGE', `\`${option}\` is ${show(value)}. Nothing was read. Use a whole number of at least ${least}.`);
  }

  static severalTypes(className: string, column: string, types: readonly string[]): ReportError {
    return new ReportError(
      'REPORT_USAGE',
      `The column ${show(column)} of ${className} has several types in the selected tenants: ${types.join(', ')}. Their values cannot be compared. Nothing was read. Migrate these tenants, or leave them out.`,
    );
  }

  static tenantsChanged(): ReportError {
    return new ReportError(
      'REPORT_CHANGED',
      'Tenants were renamed or dropped while the report was read, and other tenants may have their names now. The rows of this batch were not given. Run the report again.',
    );
  }

  constructor(code: 'REPORT_USAGE' | 'REPORT_CHANGED', message: string) {
    super(code, message);
  }
}

/** Tenants lack a table or a column that a report reads. */
export class TenantsBehindError extends TenantError {
  /** The tenants, and what each lacks. */
  readonly behind: readonly { readonly schemaName: string; readonly missing: readonly string[] }[];

  constructor(behind: TenantsBehindError['behind']) {
    const [first] = behind;
    super(
      'TENANTS_BEHIND',
      `${behind.length} of the selected tenants lack what the report reads, among them ${show(first?.schemaName)} (${first?.missing.join(', ')}). Nothing was read. ` +
        'Migrate them, select others, or leave them out with `onBehind: "skip"`.',
    );
    this.behind = behind;
  }
}
