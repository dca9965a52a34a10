-- The board: where the driver of a study and its workers meet. Numbers are never used again.
-- Calls that a lost connection may repeat carry a key: the second time they only answer.

create table task (
    number bigint generated always as identity primary key,
    study integer not null,
    key text not null unique,
    job bytea not null,
    worker text,
    request bigint,
    ended boolean not null default false
) with (fillfactor = 50);
create index task_of_study on task (study, number);

create table letter (
    number bigint generated always as identity,
    study integer not null,
    task bigint not null,
    message bytea not null,
    primary key (study, number)
);

create table member (
    number bigint generated always as identity primary key,
    study integer not null,
    worker text not null,
    host text not null,
    place text not null,
    pid integer not null,
    birth text not null,
    slots integer not null,
    differs text not null,
    beats bigint not null default 0,
    request bigint,
    delivery bigint,
    refused bigint[],
    unique (study, worker)
) with (fillfactor = 50);

create function board_channel(p_study integer) returns text
language sql stable security definer set search_path from current as $$
    select format('assay_%s_%s', 'task'::regclass::oid, p_study)
$$;

create function board_post(p_study integer, p_token text, p_key text, p_jobs bytea[])
returns setof bigint language plpgsql security definer set search_path from current as $$
begin
    perform lease_check(p_study, p_token);
    insert into task (study, key, job)
        select p_study, p_key || o, j from unnest(p_jobs) with ordinality as x(j, o) order by o
        on conflict (key) do nothing;
    perform pg_notify(board_channel(p_study), ''); -- a hint: who misses it looks by itself
    return query
        select t.number from task t
        where t.key in (select p_key || o from generate_series(1, cardinality(p_jobs)) o)
        order by t.number;
end $$;

create function board_tasks(p_study integer, p_token text)
returns table (number bigint, job bytea, worker text)
language plpgsql security definer set search_path from current as $$
begin
    perform lease_check(p_study, p_token);
    return query select t.number, t.job, t.worker from task t where t.study = p_study order by 1;
end $$;

create function board_letters(p_study integer, p_after bigint)
returns table (number bigint, task bigint, message bytea)
language sql stable security definer set search_path from current as $$
    select l.number, l.task, l.message from letter l
    where l.study = p_study and l.number > p_after order by 1
$$;

-- Tasks first: a delivery that is under way ends before its task is gone, and its letters are seen.
create function board_settle(p_study integer, p_token text, p_tasks bigint[]) returns void
language plpgsql security definer set search_path from current as $$
begin
    perform lease_check(p_study, p_token);
    delete from task where study = p_study and number = any (p_tasks);
    delete from letter where study = p_study and task = any (p_tasks);
end $$;

create function board_crew(p_study integer) returns table (
    worker text, host text, place text, pid integer, birth text, slots integer, differs text,
    beats bigint
) language sql stable security definer set search_path from current as $$
    select m.worker, m.host, m.place, m.pid, m.birth, m.slots, m.differs, m.beats
    from member m where m.study = p_study order by m.number
$$;

create function board_dismiss(p_study integer, p_token text, p_worker text) returns void
language plpgsql security definer set search_path from current as $$
begin
    perform lease_check(p_study, p_token);
    delete from member where study = p_study and worker = p_worker;
end $$;

create function board_join(
    p_study integer, p_worker text, p_host text, p_place text, p_pid integer, p_birth text,
    p_slots integer, p_differs text
) returns void language sql security definer set search_path from current as $$
    insert into member (study, worker, host, place, pid, birth, slots, differs)
    values (p_study, p_worker, p_host, p_place, p_pid, p_birth, p_slots, p_differs)
    on conflict do nothing
$$;

create function board_leave(p_study integer, p_worker text) returns void
language sql security definer set search_path from current as $$
    delete from member where study = p_study and worker = p_worker
$$;

create function board_beat(p_study integer, p_worker text) returns bigint[]
language plpgsql security definer set search_path from current as $$
begin
    update member set beats = beats + 1 where study = p_study and worker = p_worker;
    if not found then
        return null;
    end if;
    return array(select number from task where study = p_study and worker = p_worker);
end $$;

-- The row of the member is locked: nobody is dismissed while it claims or delivers.
create function board_claim(
    p_study integer, p_worker text, p_request bigint, p_limit integer
) returns table (number bigint, job bytea)
language plpgsql security definer set search_path from current as $$
declare
    last_request bigint;
begin
    if not exists (
        select from task t where t.study = p_study
        and (t.worker is null or t.worker = p_worker and t.request = p_request)
    ) then
        return; -- most often so
    end if;
    select m.request into last_request
        from member m where m.study = p_study and m.worker = p_worker for update;
    if not found then
        return;
    end if;
    if last_request is distinct from p_request then
        update member m set request = p_request where m.study = p_study and m.worker = p_worker;
        update task t set worker = p_worker, request = p_request
        from (
            select f.number from task f where f.study = p_study and f.worker is null
            order by f.number limit p_limit for update skip locked
        ) free
        where t.number = free.number;
    end if;
    return query
        select t.number, t.job from task t
        where t.study = p_study and t.worker = p_worker and t.request = p_request order by 1;
end $$;

-- Letters of one study are numbered one delivery after another, so that a reader who has seen a
-- number has seen all below it.
create function board_deliver(
    p_study integer, p_worker text, p_delivery bigint, p_tasks bigint[], p_lasts boolean[],
    p_messages bytea[]
) returns bigint[] language plpgsql security definer set search_path from current as $$
declare
    last_delivery bigint;
    not_wanted bigint[];
begin
    select m.delivery, m.refused into last_delivery, not_wanted
        from member m where m.study = p_study and m.worker = p_worker for update;
    if not found then
        return array(select distinct unnest(p_tasks));
    end if;
    if last_delivery = p_delivery then
        return not_wanted;
    end if;
    perform pg_advisory_xact_lock('letter'::regclass::oid::integer, p_study);
    with said as (
        select t, l, m, o from unnest(p_tasks, p_lasts, p_messages) with ordinality as x(t, l, m, o)
    ), mine as (
        select number from task
        where number = any (p_tasks) and study = p_study and worker = p_worker and not ended
        order by number for update
    ), taken as (
        select s.* from said s join mine on mine.number = s.t
        where not exists (select from said before where before.t = s.t and before.l and before.o < s.o)
    ), put as (
        insert into letter (study, task, message) select p_study, t, m from taken order by o
    ), done as (
        update task set ended = true where number in (select t from taken where l)
    )
    select array(select distinct t from said where t not in (select t from taken)) into not_wanted;
    update member set delivery = p_delivery, refused = not_wanted
        where study = p_study and worker = p_worker;
    return not_wanted;
end $$;
