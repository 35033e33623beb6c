set search_path to acme; -- a request of Acme begins
select 1 / 0;            -- it fails, and nobody sets the path back
select title from book;  -- Emma: the next request on this connection has not chosen a tenant
