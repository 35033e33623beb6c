import { captureTenant, currentTenant, schemaRouter, tenantContext, TenantError, type TenantEntityManager } from '@landlord/mikro-orm';
import { bodyParser } from '@koa/bodyparser';
import Router from '@koa/router';
import Koa, { type Context } from 'koa';
import { Priority, Task, Team, TeamDomain } from './entities.ts';
import { Jobs } from './jobs.ts';
import { log } from './log.ts';
import { taskPage, teamsPage } from './pages.ts';

/** The application. In a team's routes, `em` reads and writes that team's schema alone. */
export function createApp(em: TenantEntityManager, jobs = new Jobs(em)): Koa {
  const publicRouter = new Router();
  const teamRouter = new Router();

  publicRouter.get('/', async ctx => {
    ctx.body = teamsPage(await em.find(Team, {}), ctx.host);
  });

  publicRouter.post('/teams', async ctx => {
    const name = field(ctx, 'name');
    // the row, the schema and its tables, or nothing
    await em.persistAndFlush(em.create(Team, { name, schemaName: `team_${name}`, domainUrl: `${name}.localhost` }));
    ctx.redirect('/');
  });

  publicRouter.post('/domains', async ctx => {
    const team = await em.findOneOrFail(Team, { name: field(ctx, 'team') });
    await em.persistAndFlush(new TeamDomain({ domain: field(ctx, 'domain'), tenant: team }));
    ctx.redirect('/');
  });

  // in an application of yours, operators alone may do this
  publicRouter.post('/state', async ctx => {
    const team = await em.findOneOrFail(Team, { name: field(ctx, 'team') });
    team.state = field(ctx, 'state') as Team['state'];
    await em.flush();
    ctx.redirect('/');
  });

  // for whatever watches the process: it and its database answer
  publicRouter.get('/health', async ctx => {
    await em.execute('select 1');
    ctx.body = 'ok';
  });

  teamRouter.get('/', async ctx => {
    const tasks = await em.find(Task, {}, { populate: ['priority'], orderBy: { id: 1 } });
    ctx.body = taskPage(currentTenant<Team>()?.name ?? '', tasks, await em.find(Priority, {}));
  });

  // done by a worker, after the answer: the job says which team it is of
  teamRouter.post('/clean', ctx => {
    jobs.add({ tenant: captureTenant() });
    ctx.redirect('/');
  });

  teamRouter.post('/tasks', async ctx => {
    const priority = await em.findOneOrFail(Priority, { name: field(ctx, 'priority') });
    await em.persistAndFlush(em.create(Task, { title: field(ctx, 'title'), priority }));
    ctx.redirect('/');
  });

  const app = new Koa();
  app.use(showErrors);
  app.use(bodyParser());
  app.use(tenantContext());
  app.use(logRequests);
  app.use(schemaRouter({ public: publicRouter.routes(), tenant: teamRouter.routes() }));

  return app;
}

/** In the scope of the request, so that each line names its team. */
async function logRequests(ctx: Context, next: () => Promise<unknown>): Promise<void> {
  await next();
  log(`${ctx.method} ${ctx.path} ${ctx.status}`);
}

/** What a visitor chose wrongly is said to the visitor: a name that is taken, or that no schema can have. */
async function showErrors(ctx: Context, next: () => Promise<unknown>): Promise<void> {
  try {
    await next();
  } catch (error) {
    if (!(error instanceof TenantError && 'status' in error)) {
      throw error;
    }

    ctx.status = Number(error.status);
    ctx.body = error.message;
  }
}

function field(ctx: Context, name: string): string {
  const { [name]: value } = (ctx.request.body ?? {}) as Readonly<Record<string, unknown>>;

  return typeof value === 'string' ? value : '';
}
