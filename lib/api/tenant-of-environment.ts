import { readCaptured, type CapturedWork } from './captured-value.js';

/**
 * The tenant that `mikro-orm tenant:exec` has started this process for, as `captureTenant()` says it, for `resumeTenant()`. Undefined in a process
 * that was started without one. Nothing reads it by itself: a process that does not ask for it works in no tenant.
 *
 * @throws TenantJobError `JOB_TENANT_INVALID` for a value that `tenant:exec` has not made.
 */
export function tenantOfEnvironment(env: Readonly<Record<string, string | undefined>> = process.env): CapturedWork | undefined {
  const { [VARIABLE]: text } = env;

  return text === undefined || text === '' ? undefined : readCaptured(parse(text));
}

/** The environment for a process that works for a tenant. */
export function environmentOf(tenant: CapturedWork): Record<string, string> {
  return { [VARIABLE]: JSON.stringify(tenant) };
}

// what is no JSON is refused as the text that it is
function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

const VARIABLE = 'LANDLORD_TENANT';
