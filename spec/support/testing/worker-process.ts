import { openLibraryKit } from './library-kit.ts';

// opens a kit and stays, until it is killed
const kit = await openLibraryKit('postgresql', { version: process.argv[2] ?? '', readyTenants: 0 });
await kit.begin('killed');
await kit.testTenant();
console.log(kit.url);
setInterval(() => undefined, 60_000);
