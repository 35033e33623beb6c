import { tenantKey, tenantPath } from '@landlord/mikro-orm';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

// #region keys
export async function cached(cache: Map<string, string>, name: string, make: () => Promise<string>): Promise<string> {
  const key = tenantKey(name);
  const value = cache.get(key) ?? (await make());
  cache.set(key, value);

  return value;
}

export async function saveFile(root: string, name: string, content: string): Promise<string> {
  const path = tenantPath(root, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);

  return path;
}
// #endregion keys
