"""Object metadata, references between objects, and the base of the three kinds.

`CustomResource` is the base of the kinds; `CustomResource.from_object` reads objects of the API server.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from meetingbots.models.base import Model, ModelError, ObjectName, Time, describe_error, extension
from meetingbots.models.names import API_VERSION

SecretKey = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
"""A key in a Secret."""

LabelKey = Annotated[str, Field(min_length=1, max_length=317)]
LabelValue = Annotated[str, Field(max_length=63)]


class NameReference(Model):
    """A reference to an object in the same namespace, by name."""

    name: ObjectName = Field(description="Name of the object; it must be in the same namespace.")


class SecretKeyReference(Model):
    """A reference to one key of a Secret in the same namespace."""

    name: ObjectName = Field(description="Name of the Secret; it must be in the same namespace.")
    key: SecretKey = Field(description="Key in the Secret whose value is used. Blanks and newlines around it are cut.")


class LabelRequirement(Model):
    """One requirement of a label selector: a key, an operator, and values for In and NotIn."""

    key: LabelKey = Field(description="Label key that the requirement is about.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(
        description="How the label is compared: In, NotIn, Exists or DoesNotExist."
    )
    values: tuple[LabelValue, ...] = Field(
        default_factory=tuple,
        max_length=64,
        description="Values to compare with: at least one for In and NotIn, none for Exists and DoesNotExist.",
        json_schema_extra=extension(list_type="atomic"),
    )

    model_config = ConfigDict(
        json_schema_extra=extension(
            (
                "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
                "values must be given for In and NotIn, and must not be given for Exists and DoesNotExist",
            )
        )
    )

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet this requirement; as in Kubernetes, NotIn accepts an absent label."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels


class LabelSelector(Model):
    """A label selector, as Kubernetes has it: all of matchLabels and of matchExpressions must hold."""

    match_labels: dict[LabelKey, LabelValue] = Field(
        default_factory=dict,
        max_length=64,
        description="Labels that must be there with exactly these values.",
    )
    match_expressions: tuple[LabelRequirement, ...] = Field(
        default_factory=tuple,
        max_length=32,
        description="Further requirements; all of them must hold.",
        json_schema_extra=extension(list_type="atomic"),
    )

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected; an empty selector selects everything."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )


class OwnerReference(Model):
    """An object's owner, as the garbage collector sees it."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(Model):
    """The metadata fields in use. An unset field is empty or None."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    owner_references: tuple[OwnerReference, ...] = ()

    @model_serializer(mode="wrap")
    def _leave_out_empty(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # In a write, an empty uid or resourceVersion is a precondition.
        return {key: value for key, value in handler(self).items() if value}


class CustomResource(Model):
    """Base of the three kinds. Every subclass has a spec and a status."""

    KIND: ClassVar[str]
    PLURAL: ClassVar[str]

    metadata: ObjectMeta = Field(default_factory=ObjectMeta)

    @classmethod
    def from_object(cls, obj: Mapping[str, Any]) -> Self:
        """Read an object of the API server.

        Raises ModelError when it does not have the shape of its kind: it may have been stored under an older CRD.
        """
        kind = obj.get("kind")
        if kind is not None and kind != cls.KIND:
            raise ModelError(f"This object is not a {cls.KIND}.")
        try:
            return cls.model_validate(obj)
        except ValidationError as error:
            # Not chained: pydantic's own text can quote values.
            raise describe_error(cls.KIND, error) from None

    @property
    def name(self) -> str:
        """The object's name."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """The object's namespace, which is its tenant."""
        return self.metadata.namespace

    def owner_reference(self, *, controller: bool = False) -> OwnerReference:
        """Return a reference for objects that Kubernetes deletes with this one."""
        return OwnerReference(
            api_version=API_VERSION,
            kind=self.KIND,
            name=self.metadata.name,
            uid=self.metadata.uid,
            controller=True if controller else None,
            block_owner_deletion=True if controller else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the object for Kubernetes, with apiVersion and kind."""
        return {"apiVersion": API_VERSION, "kind": self.KIND, **super().to_dict()}
