import type { ServerCheck } from '../database/server-report.js';
import { EXIT } from './exit.js';
import { count, print, writeJson } from './output.js';
import type { TenantArgs } from './tenant-args.js';
import { withTenantsOf } from './with-tenants-of.js';

/** `tenant:server`: the server's settings beside the number of tenants and tables. */
export function reportOnServer(args: TenantArgs): Promise<number> {
  return withTenantsOf(args, async service => {
    const { tenants, tables, checks } = await service.serverReport();
    const tooSmall = checks.filter(({ isEnough }) => !isEnough);

    if (args.json === true) {
      checks.forEach(each => writeJson('setting', each));
      writeJson('summary', { tenants, tables, tooSmall: tooSmall.length });
    } else {
      print(`${count(tenants, 'tenant')} with ${count(tables, 'table')}`);
      checks.forEach(each => print(textOf(each), each.isEnough ? 'reset' : 'yellow'));
      print(
        tooSmall.length === 0 ? 'Every setting is enough' : `${count(tooSmall.length, 'setting')} of the server not enough`,
        tooSmall.length === 0 ? 'green' : 'yellow',
      );
    }

    return tooSmall.length === 0 ? EXIT.done : EXIT.failed;
  });
}

function textOf({ setting, value, needed, isEnough, reason }: ServerCheck): string {
  return `${isEnough ? 'enough   ' : 'too small'}  ${setting} = ${value}${isEnough ? '' : `, needed: ${needed}`} (${reason})`;
}
