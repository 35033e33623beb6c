import { TenantError, type RunResult } from '@landlord/mikro-orm';
import { expect } from 'chai';

/** Whose results they are. */
export function schemaNamesOf(results: readonly { readonly schemaName: string }[]): string[] {
  return results.map(({ schemaName }) => schemaName);
}

type ErrorClass<Failure extends TenantError> = abstract new (...args: any[]) => Failure;

/** The error of a tenant that was not migrated. Fails if it was migrated, or if the error has another class. */
export function errorIn(result: RunResult, schemaName: string): TenantError;
export function errorIn<Failure extends TenantError>(result: RunResult, schemaName: string, errorClass: ErrorClass<Failure>): Failure;
export function errorIn({ failed }: RunResult, schemaName: string, errorClass: ErrorClass<TenantError> = TenantError): TenantError {
  const error = failed.find(failure => failure.schemaName === schemaName)?.error;
  expect(error, String(error)).to.be.instanceOf(errorClass);

  return error as TenantError;
}
