begin;
set search_path to acme;
savepoint visit;
set search_path to bob;
rollback to savepoint visit;
select title from book; -- Emma, which is Acme's. The application still believes that it is in Bob's schema.
commit;
