-- Current and closed versions have an index each. A condition that names neither is met by both, branch by branch; on the table
-- itself, neither index could serve it, and whole quarters would be read.
create or replace view otc.volume_record as
select
    week_ending,
    opened_by as brought_by,
    closed_by as ended_by,
    share_volume,
    trade_count,
    notional,
    published_on,
    updated_on,
    issue_name_id,
    venue_name_id,
    firm_crd,
    tier,
    venue_type,
    symbol,
    product_type,
    mpid,
    opened_by,
    closed_by
from (
    select * from otc_internal.volume_record where closed_by is null
    union all
    select * from otc_internal.volume_record where closed_by is not null
) as version;
