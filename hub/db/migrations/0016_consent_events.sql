-- Every change of a consent: who said so, when, where it came from and in which words it was asked for; state is
-- null where it was taken back. Only ever added to. said_at: when the person said it, as the shop tells; at: when
-- the hub heard of it. via: api, page, one-click, reply, bot, provider. addresses: those of the channel at the time.
-- remote: from where the person came to a page.
-- When the person is erased only the proof stays: what it was about and when, `digests` of the addresses, by which
-- it is found, and `proof`, a digest of the whole line as an export had shown it.
CREATE TABLE consent_event (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shop_id     smallint NOT NULL REFERENCES shop,
    contact_id  uuid NOT NULL,
    category    text NOT NULL,
    channel     text NOT NULL,
    state       text,
    via         text NOT NULL,
    source      text NOT NULL DEFAULT '',
    wording     text NOT NULL DEFAULT '',
    said_at     timestamptz NOT NULL DEFAULT now(),
    at          timestamptz NOT NULL DEFAULT now(),
    actor_id    uuid,
    actor_name  text NOT NULL DEFAULT '',
    request_id  text NOT NULL DEFAULT '',
    remote      text NOT NULL DEFAULT '',
    addresses   text[] NOT NULL DEFAULT '{}',
    erased_at   timestamptz,
    digests     bytea[] NOT NULL DEFAULT '{}',
    proof       bytea
);
CREATE INDEX consent_event_contact ON consent_event (contact_id, id);
CREATE INDEX consent_event_proof ON consent_event USING gin (digests) WHERE erased_at IS NOT NULL;
CREATE INDEX consent_event_erased ON consent_event (shop_id, erased_at) WHERE erased_at IS NOT NULL;

CREATE FUNCTION consent_event_is_only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- An erasure leaves the proof; proofs go when their time is over.
    IF TG_OP = 'UPDATE' AND OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL
       AND (NEW.contact_id, NEW.category, NEW.channel, NEW.state, NEW.said_at, NEW.at)
           IS NOT DISTINCT FROM (OLD.contact_id, OLD.category, OLD.channel, OLD.state, OLD.said_at, OLD.at) THEN
        RETURN NEW;
    ELSIF TG_OP = 'DELETE' AND OLD.erased_at IS NOT NULL THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the history of consents is only added to' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER consent_event_is_only_added_to BEFORE UPDATE OR DELETE ON consent_event
    FOR EACH ROW EXECUTE FUNCTION consent_event_is_only_added_to();
