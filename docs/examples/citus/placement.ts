import { tenants } from '@landlord/mikro-orm';

/** Empties a node before it is taken out of service. */
export async function emptyNode(node: string, target: string): Promise<string[]> {
  const service = tenants();
  const moved: string[] = [];

  for (const { schemaName, node: at } of await service.placement()) {
    if (at === node) {
      await service.move(schemaName, target);
      moved.push(schemaName);
    }
  }

  return moved;
}
