// Tells whether the library knows the code of this process, and which functions could change without its noticing. In a process of its own,
// as what watches the specs is itself such a change.
import { PgliteDriver } from '@mikro-orm/pglite';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { codeOfClasses, codeOfPool, isKnownCode, learn } from '../../../dist/orm/seams/known-code.js';
import { ProbeWorld } from '../../../dist/orm/seams/probe-world.js';
import { openProbe } from '../../../dist/with-tenants.js';

const told = {};

for (const Driver of [PostgreSqlDriver, PgliteDriver]) {
  const world = new ProbeWorld(Driver, openProbe);
  const objects = [...codeOfClasses(world.orm.driver), ...codeOfPool(world)];
  const functions = learn(objects).flatMap(({ name, functions: members }) =>
    members.filter(member => isFunction(holderOf(objects, name), member)).map(member => ({ name, member })),
  );
  told[Driver.name] = {
    isKnown: isKnownCode(objects),
    count: functions.length,
    unnoticed: functions.filter(({ name, member }) => isKnownWithout(objects, holderOf(objects, name), member)),
  };
  await world.close();
}

process.stdout.write(JSON.stringify(told));

function isFunction(holder, member) {
  const { value } = Object.getOwnPropertyDescriptor(holder, member) ?? {};

  // a loader may have written `import()` anew
  return typeof value === 'function' && !String(value).includes('import(');
}

function isKnownWithout(objects, holder, member) {
  const descriptor = Object.getOwnPropertyDescriptor(holder, member);
  Object.defineProperty(holder, member, { ...descriptor, value: () => 'another' });
  const isKnown = isKnownCode(objects);
  Object.defineProperty(holder, member, descriptor);

  return isKnown;
}

function holderOf(objects, name) {
  for (const start of objects) {
    for (let each = start; each !== null; each = Object.getPrototypeOf(each)) {
      if (
        typeof each === 'function' ? `${each.name} (static)` === name : Object.hasOwn(each, 'constructor') && each.constructor.name === name
      ) {
        return each;
      }
    }
  }

  throw new Error(`There is no ${name}.`);
}
