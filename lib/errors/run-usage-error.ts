import { TenantError, reasonOf, show } from './tenant-error.js';

/** A run was requested with options that do not work. Nothing was run. */
export class RunUsageError extends TenantError {
  static option(option: string, value: unknown, expected: string): RunUsageError {
    return value === undefined
      ? new RunUsageError('RUN_USAGE', `\`${option}\` is missing, but must be ${expected}. Nothing was run.`)
      : new RunUsageError('RUN_USAGE', `\`${option}\` is ${show(value)}, but must be ${expected}. Nothing was run.`);
  }

  /** For a property that the tenant's entity does not have, such as a misspelt one. MikroORM would leave it out. */
  static property(
    option: string,
    property: string,
    { className, known }: { readonly className: string; readonly known: readonly string[] },
  ): RunUsageError {
    return new RunUsageError(
      'RUN_USAGE',
      `\`${option}\` has the property ${show(property)}, which ${className} does not have. Nothing was run. Its properties are ${known.join(', ')}.`,
    );
  }

  /** For values that MikroORM refuses. */
  static values(option: string, cause: Error): RunUsageError {
    return new RunUsageError(
      'RUN_USAGE',
      `The new tenant cannot be stored: ${cause.message.split('\n', 1).join('')}. Nothing was stored. Correct the value with \`${option}\`, which takes properties as a JSON object.`,
      { cause },
    );
  }

  static unreadable(option: string, file: string, cause: unknown): RunUsageError {
    return new RunUsageError(
      'RUN_USAGE',
      `\`${option}\` is ${show(file)}, which cannot be read: ${reasonOf(cause)}. Nothing was run. Check its path and its rights.`,
      { cause },
    );
  }

  static unwritable(option: string, file: string, cause: unknown): RunUsageError {
    return new RunUsageError(
      'RUN_USAGE',
      `\`${option}\` is ${show(file)}, which cannot be written: ${reasonOf(cause)}. A file that had this name is as it was. Choose another one, or change what stands against it.`,
      { cause },
    );
  }

  static outputClosed(cause: unknown): RunUsageError {
    return new RunUsageError(
      'RUN_USAGE',
      'The standard output was closed before all was written, so what its reader has is not whole. See why the reader has ended, or write to a file with `--output`.',
      { cause },
    );
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

  static noProgram(): RunUsageError {
    return new RunUsageError(
      'RUN_USAGE',
      'There is no program to run. Nothing was run. Write it after `--`, such as `tenant:exec acme -- node report.js`.',
    );
  }

  static noSeeder(cause: unknown): RunUsageError {
    return new RunUsageError(
      'RUN_USAGE',
      'There is nothing to seed with: the package `@mikro-orm/seeder` is not installed, or was not loaded. Nothing was run. Install it in the same version as `@mikro-orm/core`.',
      { cause },
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

  /** For a command that drops the schemas of all tenants. */
  static dropsAll(named: readonly string[], others: readonly string[]): RunUsageError {
    const rest = others.length - MAX_NAMED;

    return new RunUsageError(
      'RUN_USAGE',
      `\`--tenants\` names ${named.map(show).join(', ')}, but this command drops the schemas of all tenants, so also of ${others.slice(0, MAX_NAMED).map(show).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}. Nothing was run. Leave the names out if you mean all. To drop one tenant, use \`mikro-orm tenant:drop\`.`,
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

const MAX_NAMED = 5;
