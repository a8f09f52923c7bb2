"""What a backfill has to do, and what that costs: counted, priced, and held against quotas."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ops import bills, prices
from ops.backfilling.sources import Photo, Source, below, chosen
from ops.stack.ledger import ABSENT, BATCH_SIZE, name_of
from ops.stack.uploads import stands_for_folder

# The ledger is asked about each of the first objects, then about one in a hundred, by hash.
ASKED_FIRST, ASKED_SHARE = 10_000, 0.01
WORKERS = 8
ESCAPES = {"%", "+"}

Lookup = Callable[[list[str]], Mapping[str, str]]
Told = Callable[["Count"], None]


@dataclass
class Count:
    """What a source has. listed: folders and what is out of the sample too, as a run lists them.

    asked: of how many the ledger was asked; of these, decided and failed. escaped: keys that an
    inventory writes otherwise than S3, which a run does not find.
    """

    listed: int = 0
    objects: int = 0
    bytes: int = 0
    asked: int = 0
    decided: int = 0
    failed: int = 0
    escaped: int = 0
    _first: int = 0
    _first_known: int = 0

    @property
    def exact(self) -> bool:
        """Whether the ledger was asked about each object."""
        return self.asked == self.objects

    @property
    def known(self) -> int:
        """How many objects have an outcome; where not all were asked about, about how many."""
        if self.exact:
            return self.decided + self.failed
        later = self.decided + self.failed - self._first_known
        share = later / max(1, self.asked - self._first)
        return self._first_known + round(share * (self.objects - self._first))

    @property
    def to_decide(self) -> int:
        """How many objects have no outcome; where not all were asked about, about how many."""
        return self.objects - self.known - self.escaped

    def add(self, outcomes: Iterable[str]) -> None:
        """Count what the ledger has answered of some objects."""
        first = self._first < ASKED_FIRST
        for outcome in outcomes:
            known = outcome not in ("", ABSENT)
            self.asked += 1
            self.failed += outcome == "failed"
            self.decided += known and outcome != "failed"
            self._first += first
            self._first_known += first and known


def count(
    pages: Iterable[list[Photo]], source: Source, outcomes: Lookup, tell: Told = lambda _: None
) -> Count:
    """Count objects and bytes, and ask the ledger; holds a page at a time.

    outcomes: looks up at most 100 uploads. tell: is given the count after each page.
    """
    found, limit = Count(), below(ASKED_SHARE)
    with ThreadPoolExecutor(WORKERS) as pool:
        for listed in pages:
            found.listed += len(listed)
            page = [
                p
                for p in listed
                if chosen(source.bucket, p.key, source.below)
                and not stands_for_folder(p.key, p.size)
            ]
            every = found.objects < ASKED_FIRST
            asked = page if every else [p for p in page if chosen(source.bucket, p.key, limit)]
            names = [name_of(source.bucket, photo.key, photo.etag) for photo in asked]
            parts = [names[at : at + BATCH_SIZE] for at in range(0, len(names), BATCH_SIZE)]
            for part, known in zip(parts, pool.map(outcomes, parts), strict=True):
                found.add(known.get(name, "") for name in part)
            found.objects += len(page)
            found.bytes += sum(photo.size for photo in page)
            if source.inventory[0]:
                found.escaped += sum(not ESCAPES.isdisjoint(photo.key) for photo in page)
            tell(found)
    return found


@dataclass(frozen=True)
class Endpoint:
    """What classifies. instances: 0 where it is serverless. at_once: what it takes at a time."""

    instances: int
    at_once: int

    @property
    def per_second(self) -> float:
        """Photos that it takes a second, each for as long as classify was measured to take."""
        taken_s: float = bills.measured()["milliseconds"]["classify"] / 1000
        return self.at_once / taken_s

    @classmethod
    def of(cls, described: Mapping[str, list[dict[str, object]]]) -> "Endpoint":
        """Return what DescribeEndpoint tells."""
        [variant] = described["ProductionVariants"][:1] or [{}]
        serverless = variant.get("CurrentServerlessConfig")
        if isinstance(serverless, dict):
            return cls(0, int(serverless.get("MaxConcurrency", 1)))
        instances = int(str(variant.get("CurrentInstanceCount", 1)))
        return cls(instances, instances)


@dataclass(frozen=True)
class Estimate:
    """Dollars and hours of a backfill. listed: what it goes over. kind: of the image workflow."""

    listed: int
    photos: int
    kind: str
    concurrency: int
    endpoint: Endpoint

    @property
    def asked_dollars(self) -> float:
        """For one object that the run goes over."""
        return sum(bills.asked_bill().values())

    @property
    def photo_dollars(self) -> float:
        """For one photo that it decides, with a serverless endpoint's share."""
        endpoint = 0 if self.endpoint.instances else bills.serverless_bill() / prices.MILLION
        return sum(bills.backfill_bill(self.kind, "x86_64").values()) + endpoint

    @property
    def dollars(self) -> float:
        """For all of it; a real-time endpoint's hours are billed anyway."""
        return self.listed * self.asked_dollars + self.photos * self.photo_dollars

    @property
    def wanted(self) -> float:
        """Photos a second that the concurrency alone would decide."""
        return self.concurrency / bills.child_seconds()

    @property
    def functions(self) -> float:
        """Functions at once, on average: a child mostly waits."""
        return self.per_second * sum(bills.function_seconds().values())

    @property
    def limits(self) -> dict[str, float]:
        """Photos a second at most, by what sets the limit."""
        per_photo_s = sum(bills.function_seconds().values())
        starts = {"STANDARD": STANDARD_STARTS, "EXPRESS": EXPRESS_STARTS}[self.kind]
        return {
            f"the endpoint, {self.endpoint.at_once:,} at once": self.endpoint.per_second,
            f"StartExecution of {self.kind}": starts,
            "writes to one item, the allowance": ITEM_WRITES,
            f"{LAMBDAS:,} functions at once": LAMBDAS / per_photo_s,
        }

    @property
    def per_second(self) -> float:
        """Photos a second."""
        return min(self.wanted, *self.limits.values())

    @property
    def hit(self) -> list[str]:
        """The limits that the concurrency asks more of than they give, the lowest first."""
        over = [(most, name) for name, most in self.limits.items() if most < self.wanted]
        return [f"{name}: {most:,.0f} a second" for most, name in sorted(over)]

    @property
    def hours(self) -> float:
        """For all of it: each object is asked about, each photo decided."""
        asking_s: float = bills.measured()["backfill"]["asked_ms"] / 1000
        seconds = (self.listed - self.photos) * asking_s / self.concurrency
        return (seconds + self.photos / self.per_second) / 3600

    def affordable(self, dollars: float) -> int:
        """Return how many photos a budget pays for, once every object has been gone over."""
        left = dollars - self.listed * self.asked_dollars
        return max(0, int(left / self.photo_dollars))


# Default quotas in us-east-1, a second, and of functions at once.
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
STANDARD_STARTS, EXPRESS_STARTS = 300, 6000
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
ITEM_WRITES = 1000
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LAMBDAS, NEW_LAMBDAS = 1000, 10  # the second: in a new account
