import { onDatabases } from '../support/databases/database.ts';
import { checkOperations } from '../support/generators/property.ts';
import { identityModel, openIdentityTwins, type Twins } from '../support/models/identity-model/run.ts';

const MAX_STEPS = 24;
const OPERATIONS = Number(process.env['IDENTITY_OPERATIONS'] ?? 300);

onDatabases('the entities of a tenant’s EntityManager', database => {
  let twins: Twins;

  before(async () => {
    twins = await openIdentityTwins(database);
  });

  it(`G4, S16 are what MikroORM has without tenants, whatever was done with them (${database.kind})`, async function () {
    this.timeout(OPERATIONS * 500);
    const title = `whatever was done with them (${database.kind})`;
    await checkOperations(title, identityModel(twins, MAX_STEPS), { operations: OPERATIONS, maxCommands: MAX_STEPS, count: twins.count });
  });
});
