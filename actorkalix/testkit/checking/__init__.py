"""Checkers of histories: what was asked and answered, against what the guarantees say.

`linearizability` looks for an order that explains all answers of each entity, by the sequential
model that `model_of` makes of the user's own class; `judge` holds rules against what is stored.
Everything here is a pure function of its arguments; `picture` draws what was found.
"""

from .entities import EntityModel as EntityModel
from .entities import model_of as model_of
from .evidence import Caused as Caused
from .evidence import Delivery as Delivery
from .evidence import Evidence as Evidence
from .evidence import Execution as Execution
from .evidence import Flowed as Flowed
from .evidence import Ownership as Ownership
from .evidence import Place as Place
from .evidence import Shown as Shown
from .evidence import Stored as Stored
from .evidence import Viewed as Viewed
from .evidence import Wanted as Wanted
from .evidence import stored_of as stored_of
from .folding import folded as folded
from .linearizability import linearizability as linearizability
from .models import Model as Model
from .picture import picture as picture
from .rules import ANSWER_RULES as ANSWER_RULES
from .rules import RULES as RULES
from .rules import STORE_RULES as STORE_RULES
from .rules import Rule as Rule
from .rules import judge as judge
from .verdicts import Finding as Finding
from .verdicts import Verdict as Verdict
