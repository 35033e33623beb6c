set search_path to bob, public; -- Bob's schema has no table "note" yet
insert into note values ('private'); -- goes into public.note, which all tenants read
select * from public.note; -- private
