import { reasonOf, show, TenantError } from './tenant-error.js';

/** A hook of the option `hooks` has failed. `code` is `HOOK_FAILED` or `HOOK_TIMEOUT`. */
export class TenantHookError extends TenantError {
  readonly hook: string;
  readonly schemaName: string;

  static failed(hook: string, schemaName: string, cause: unknown): TenantHookError {
    return new TenantHookError(
      'HOOK_FAILED',
      { hook, schemaName },
      `has thrown: ${reasonOf(cause)}. ${EFFECTS[hook] ?? ''} Read its \`cause\`.`,
      { cause },
    );
  }

  static timedOut(hook: string, schemaName: string, timeoutMs: number): TenantHookError {
    return new TenantHookError(
      'HOOK_TIMEOUT',
      { hook, schemaName },
      `has not ended within ${timeoutMs} ms. ${EFFECTS[hook] ?? ''} Do what takes long in a job that the hook queues, or raise \`hooks.timeoutMs\`.`,
    );
  }

  constructor(
    code: 'HOOK_FAILED' | 'HOOK_TIMEOUT',
    { hook, schemaName }: { readonly hook: string; readonly schemaName: string },
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, `The hook \`${hook}\` of the tenant ${show(schemaName)} ${message}`, options);
    this.hook = hook;
    this.schemaName = schemaName;
  }
}

const EFFECTS: Readonly<Record<string, string>> = {
  beforeCreate: 'The tenant was not created.',
  afterCreate: 'The tenant was not created.',
  afterCommit: 'What was committed before stays.',
  beforeMigrate: 'The tenant was not migrated.',
  afterMigrate: 'The tenant stays migrated.',
  beforeDrop: 'The schema was not dropped.',
  afterRename: 'The schema was not renamed.',
  beforeReport: 'Nothing was read.',
};
