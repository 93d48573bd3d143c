-- Where all records of a capture are known since their partition is, nothing has to look for those that are not.
alter table otc.capture add column late_records bigint; -- null for captures of older releases
