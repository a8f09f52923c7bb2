"""How many instances serve: Application Auto Scaling follows the pictures a minute."""

from botocore.exceptions import ClientError

from model.endpoint.place import VARIANT, Place, code_of

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
POLICY = "pictures-per-minute"
# Starting an instance takes minutes, so scaling in waits longer than scaling out.
OUT_S, IN_S = 60, 600


def scalable(place: Place) -> dict[str, str]:
    """Return what names the endpoint's instances to Application Auto Scaling."""
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{place.name}/variant/{VARIANT}",
        "ScalableDimension": DIMENSION,
    }


def ensure_scaling(place: Place, least: int, most: int, target: int) -> None:
    """Let the endpoint have `least` to `most` instances, `target` pictures a minute for each."""
    scaling, named = place.client("application-autoscaling"), scalable(place)
    scaling.register_scalable_target(**named, MinCapacity=least, MaxCapacity=most)
    scaling.put_scaling_policy(
        **named,
        PolicyName=POLICY,
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": float(target),
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
            },
            "ScaleOutCooldown": OUT_S,
            "ScaleInCooldown": IN_S,
        },
    )
    print(f"scaling: {least} to {most} instances, one more above {target} pictures a minute each")


def remove_scaling(place: Place) -> None:
    """Remove target and policies, if there are any: an endpoint that goes leaves them behind."""
    scaling, named = place.client("application-autoscaling"), scalable(place)
    try:
        scaling.deregister_scalable_target(**named)  # its policies and alarms go along
    except ClientError as error:
        if code_of(error) not in ("ObjectNotFoundException", "ValidationException"):
            raise
        return
    print("scaling: removed")
