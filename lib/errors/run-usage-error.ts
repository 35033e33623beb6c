import { TenantError, reasonOf, show } from './tenant-error.js';

/** A run was requested with options that do not work. Nothing was run. */
export class RunUsageError extends TenantError {
  static option(option: string, value: unknown, expected: string): RunUsageError {
    return new RunUsageError('RUN_USAGE', `\`${option}\` is ${show(value)}, but must be ${expected}. Nothing was run.`);
  }

  static condition(where: unknown, cause: unknown): RunUsageError {
    return new RunUsageError(
      'RUN_USAGE',
      `\`where\` is ${show(where)}, which is not a valid condition on the tenant entity: ${reasonOf(cause)}. Nothing was run. Check its property names and values.`,
      { cause },
    );
  }

  static missing(options: readonly string[]): RunUsageError {
    return new RunUsageError(
      'RUN_USAGE',
      `What is required is missing: ${options.map(each => `\`${each}\``).join(', ')}. Nothing was run. On a terminal it is asked for.`,
    );
  }

  static unanswered(question: string): RunUsageError {
    return new RunUsageError('RUN_USAGE', `The question was not answered: ${question}. Nothing was run.`);
  }

  static unconfirmed(what: string): RunUsageError {
    return new RunUsageError(
      'RUN_USAGE',
      `${what} cannot be undone, and was not confirmed. Nothing was run. Add \`--yes\`, or run the command on a terminal, which asks.`,
    );
  }

  static withoutTenants(option: string): RunUsageError {
    return new RunUsageError(
      'RUN_USAGE',
      `\`${option}\` works only together with \`--tenants\`. Nothing was run. Add \`--tenants\`, or omit the option.`,
    );
  }

  static schemaOfTenants(call: string, schemaName: string): RunUsageError {
    return new RunUsageError(
      'RUN_USAGE',
      `${call} was given the schema ${show(schemaName)}, which has no shared entities, so that it may be a tenant's. It works on the shared tables only, and would leave a tenant with tables that do not match its history. Nothing was run. ` +
        "Call it without a schema. For tenants, use `tenants().create()`, `.migrate()` and `.drop()`, or `--tenants` of this package's command line, which is `mikro-orm-tenants` where `mikro-orm` is the stock one.",
    );
  }

  static inTransaction(): RunUsageError {
    return new RunUsageError(
      'RUN_IN_TRANSACTION',
      '`migrate()` was called inside a transaction, but it migrates each tenant in a separate transaction. Nothing was run. Call it after the transaction, or outside it.',
    );
  }
}
