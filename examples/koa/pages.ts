import type { Priority, Task, Team } from './entities.ts';

export function teamsPage(teams: readonly Team[], host: string): string {
  const port = host.includes(':') ? host.slice(host.indexOf(':')) : '';
  const items = teams.map(({ name, domainUrl }) => `<li><a href="http://${escape(domainUrl + port)}/">${escape(name)}</a></li>`);

  return page(
    'Teams',
    `<ul>${items.join('')}</ul><form method="post" action="/teams"><label>Name <input name="name" required></label> <button>Sign up</button></form>` +
      '<form method="post" action="/domains"><label>Team <input name="team" required></label> <label>Host <input name="domain" required></label> <button>Add the host</button></form>' +
      '<form method="post" action="/state"><label>Team <input name="team" required></label> <label>State <select name="state"><option>active</option><option>suspended</option><option>maintenance</option></select></label> <button>Set</button></form>',
  );
}

export function taskPage(team: string, tasks: readonly Task[], priorities: readonly Priority[]): string {
  const items = tasks.map(({ title, priority }) => `<li>${escape(title)} (${escape(priority.name)})</li>`);
  const options = priorities.map(({ name }) => `<option>${escape(name)}</option>`);

  return page(
    `Tasks of ${team}`,
    `<ul>${items.join('')}</ul><form method="post" action="/tasks"><label>Title <input name="title" required></label> <label>Priority <select name="priority">${options.join('')}</select></label> <button>Add</button></form><form method="post" action="/clean"><button>Delete what is done</button></form>`,
  );
}

function page(title: string, content: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(title)}</title><h1>${escape(title)}</h1>${content}</html>`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
