import { tenantFields } from '@landlord/mikro-orm';

/** Writes a line of JSON. In the scope of a team it has the team's name. */
export function log(message: string): void {
  console.log(JSON.stringify({ ...tenantFields(), message }));
}
