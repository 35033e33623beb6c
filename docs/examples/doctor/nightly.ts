import { tenants } from '@landlord/mikro-orm';

export async function lookAtTenants(): Promise<string[]> {
  const { findings } = await tenants().doctor({ deep: true });

  return findings.map(({ kind, schemaName, message, remedy }) => `${kind} in ${schemaName ?? 'all'}: ${message}. ${remedy}`);
}
