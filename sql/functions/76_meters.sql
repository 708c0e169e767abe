-- Meters: the application says "now at 12.5"; each UTC day is charged its time-weighted mean, due at midnight. What it
-- comes to is part of project(), like everything that falls due by itself.

-- What a whole day at a level costs, against a slip that nobody could ever pay. PC422.
create or replace function credits_private.check_day_price(price numeric)
returns void
language plpgsql stable
as $$
begin
  if price > 1e12 then
    perform credits_private.fail_invalid('quantity', 'too_large', 'Give a level whose day costs at most 1e12.');
  end if;
end
$$;

create or replace function credits.record_meter(
  account_id text, operation text, quantity numeric, usage jsonb default '{}')
returns credits.meters
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  present credits_private.writing;
  meter credits.meters;
  gate credits.gates;
  rate record;
  day_price numeric;
  attributes jsonb := coalesce(nullif(record_meter.usage, 'null'), '{}');
begin
  perform credits_private.check_service();
  present := credits_private.begin_writing(record_meter.account_id);
  if record_meter.quantity is null or not (record_meter.quantity >= 0 and record_meter.quantity <= 1e12) then
    perform credits_private.fail_invalid('quantity', 'out_of_range', 'Give a number from 0 to 1e12.');
  elsif jsonb_typeof(attributes) <> 'object' then
    perform credits_private.fail_invalid('usage', 'not_an_object', 'Give usage as a JSON object.');
  end if;

  select m.* into meter from credits.meters m
  where m.account_id = record_meter.account_id and m.operation = record_meter.operation and m.usage = attributes;
  -- A gate bars what is more than before. Less is always taken, or it would be charged for ever.
  if record_meter.quantity > coalesce(meter.level, -1) then
    gate := credits_private.unmet_gate(present.account, (present.account).top_ups,
      array[credits.item(record_meter.operation, attributes)]);
    if gate.gate_id is not null then
      perform credits_private.refuse_gate(present.account, gate);
    end if;
  end if;
  if meter.meter_id is not null then
    if record_meter.quantity > meter.level then
      begin
        day_price := (credits_private.rate_items(
          (present.account).rate_card, (present.account).plan, (present.account).top_ups,
          array[credits.item(record_meter.operation, attributes || jsonb_build_object(meter.measure, record_meter.quantity))],
          present.at))[1].amount;
      exception when sqlstate 'PC404' or sqlstate 'PC422' then
        -- The card has no price for it any more: it is charged nothing.
        day_price := 0;
      end;
      perform credits_private.check_day_price(day_price);
    end if;
    update credits.meters m
    -- Never behind the last reading. A meter at 0 is not charged, and so its day is still the one of long ago.
    set accrued = m.accrued + m.level * extract(epoch from greatest(present.at, m.read_at) - m.read_at),
      read_at = greatest(present.at, m.read_at), level = record_meter.quantity,
      charged_until = greatest(m.charged_until, date_trunc('day', present.at, 'UTC'))
    where m.account_id = meter.account_id and m.meter_id = meter.meter_id
    returning m.* into meter;
  else
    -- The measure and the unit are the card's; the attributes must have a price, as with any usage.
    select min(r.measure) as measure, min(r.unit) as unit, count(distinct r.measure) as measures, count(distinct r.unit) as units
    into rate
    from credits.card_rates r
    where r.rate_card = (present.account).rate_card and r.operation = record_meter.operation
      and r.valid_from <= present.at and r.valid_until > present.at;
    if not exists (select from credits.operations o
      where o.rate_card = (present.account).rate_card and o.operation = record_meter.operation
        and o.retired_at is null) then
      perform credits_private.fail_not_found('operation', record_meter.operation,
        'credits.operations lists the operations of the account''s rate card.');
    elsif rate.measures <> 1 or rate.units <> 1 then
      perform credits_private.fail_invalid('operation', 'not_a_meter', 'A meter''s operation is priced by one measure in one unit.');
    end if;
    perform credits_private.check_day_price((credits_private.rate_items(
      (present.account).rate_card, (present.account).plan, (present.account).top_ups,
      array[credits.item(record_meter.operation, attributes || jsonb_build_object(rate.measure, record_meter.quantity))],
      present.at))[1].amount);
    insert into credits.meters as m (account_id, meter_id, operation, usage, measure, level, read_at, charged_until, unit)
    values (record_meter.account_id,
      (select coalesce(max(x.meter_id), 0) + 1 from credits.meters x where x.account_id = record_meter.account_id),
      record_meter.operation, attributes, rate.measure, record_meter.quantity, present.at,
      date_trunc('day', present.at, 'UTC'), rate.unit)
    returning m.* into meter;
  end if;

  update credits.accounts a set next_due_at = credits_private.next_due(a.account_id, a.period_end)
  where a.account_id = record_meter.account_id;
  return meter;
end
$$;
comment on function credits.record_meter(text, text, numeric, jsonb) is
  'Records the present level of a gauge, such as stored GB. Each UTC day is charged its time-weighted mean at midnight, with no job needed; where credits have run out, what is available is charged and the meter records the shortfall. PC403 a gate, unless it is no more than before; PC404 unknown account or operation; PC422 bad quantity or usage, or an operation that is not priced by one measure in one unit. Service only.';
