import { createWriteStream } from 'node:fs';
import { CloneError, tenants } from '@landlord/mikro-orm';
import type { Client } from '../bookshop/entities.ts';

// #region clone
export async function tryOut(): Promise<Client> {
  return tenants<Client>().clone('acme', { name: 'Acme, to try things', domainUrl: 'try.example.com', schemaName: 'acme_try' });
}
// #endregion clone

// #region template
export async function signUp(name: string): Promise<Client> {
  return tenants<Client>().clone(
    'template',
    { name, domainUrl: `${name}.example.com`, schemaName: name },
    { data: ['book'], onProgress: ({ table, done, total }) => console.log(`${table}: ${done} of ${total}`) },
  );
}
// #endregion template

// #region refused
export async function whatStandsAgainst(schemaName: string): Promise<readonly string[]> {
  try {
    await tenants<Client>().clone(schemaName, { name: 'A copy', domainUrl: 'copy.example.com', schemaName: 'copy' });
    return [];
  } catch (error) {
    if (error instanceof CloneError) {
      return error.objects;
    }

    throw error;
  }
}
// #endregion refused

// #region export
export async function writeFile(schemaName: string, path: string): Promise<void> {
  await tenants<Client>().export(schemaName, createWriteStream(path, { mode: 0o600 }));
}
// #endregion export

// #region import
export async function readFile(path: string, schemaName: string): Promise<Client> {
  return tenants<Client>().import(path, { name: 'From a file', domainUrl: `${schemaName}.example.com`, schemaName });
}
// #endregion import

// #region adopt
export async function adopt(): Promise<Client> {
  return tenants<Client>().adopt({ name: 'By hand', domainUrl: 'hand.example.com', schemaName: 'by_hand' });
}
// #endregion adopt
