-- What the receivers of alerts were notified of, and is not over yet.
create table otc_internal.alert (
    receiver text not null, -- a digest of its URL, which is secret
    kind text not null,
    subject text not null,
    state text not null,
    sentence text not null,
    is_event boolean not null, -- it happened, and is never over
    notified_at timestamptz not null default now(),
    primary key (receiver, kind, subject)
);
