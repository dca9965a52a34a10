-- Sealed test sets: for drivers, who open them once. Workers have no way to read them.

create table vault (
    seal text not null primary key,
    sha256 text not null,
    content bytea not null,
    void boolean not null default false -- given up; kept, as these may be the only copies
);

-- What has this name now: the set that was there already, if one was.
create function vault_put(
    p_seal text, p_sha256 text, p_content bytea, out sha256 text, out void boolean
) language plpgsql security definer set search_path from current as $$
begin
    insert into vault values (p_seal, p_sha256, p_content) on conflict do nothing;
    select v.sha256, v.void into sha256, void from vault v where v.seal = p_seal;
end $$;

create function vault_get(p_seal text) returns table (content bytea, void boolean)
language sql stable security definer set search_path from current as $$
    select v.content, v.void from vault v where v.seal = p_seal
$$;

create function vault_void(p_seal text) returns boolean
language plpgsql security definer set search_path from current as $$
begin
    update vault set void = true where seal = p_seal;
    return found;
end $$;
