/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import ai.fastdp.mechanism.ClippedGradientSum;
import ai.fastdp.mechanism.PrivatizedGradient;
import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaCall;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

@AnalyzeClasses(packages = "ai.fastdp", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
  @ArchTest
  static final ArchRule packages_haveNoCycles =
      slices().matching("ai.fastdp.(**)").should().beFreeOfCycles();

  @ArchTest
  static final ArchRule packages_dependDownwardsOnly =
      layeredArchitecture()
          .consideringOnlyDependenciesInLayers()
          .layer("engine")
          .definedBy("ai.fastdp")
          .layer("run")
          .definedBy("ai.fastdp.internal.run")
          .layer("step")
          .definedBy("ai.fastdp.internal.step")
          .layer("check")
          .definedBy("ai.fastdp.internal.check")
          .layer("pass")
          .definedBy("ai.fastdp.internal.pass")
          .layer("plan")
          .definedBy("ai.fastdp.plan")
          .layer("loss")
          .definedBy("ai.fastdp.loss")
          .layer("optimizer")
          .definedBy("ai.fastdp.optimizer")
          .layer("mechanism")
          .definedBy("ai.fastdp.mechanism")
          .layer("sampling")
          .definedBy("ai.fastdp.sampling")
          .layer("checkpoint")
          .definedBy("ai.fastdp.internal.checkpoint")
          .layer("clipping")
          .definedBy("ai.fastdp.clipping")
          .layer("validation")
          .definedBy("ai.fastdp.validation")
          .layer("ghost")
          .definedBy("ai.fastdp.internal.ghost")
          .layer("rule")
          .definedBy("ai.fastdp.rule")
          .layer("hook")
          .definedBy("ai.fastdp.internal.hook")
          .layer("nn")
          .definedBy("ai.fastdp.nn")
          .layer("state")
          .definedBy("ai.fastdp.internal.state")
          .layer("djl")
          .definedBy("ai.fastdp.internal.djl")
          .layer("kernel")
          .definedBy("ai.fastdp.internal.kernel")
          .whereLayer("engine")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("run")
          .mayOnlyBeAccessedByLayers("engine")
          .whereLayer("step")
          .mayOnlyBeAccessedByLayers("engine", "run")
          .whereLayer("check")
          .mayOnlyBeAccessedByLayers("engine", "step")
          .whereLayer("pass")
          .mayOnlyBeAccessedByLayers("engine", "run", "step", "check")
          .whereLayer("plan")
          .mayOnlyBeAccessedByLayers("engine", "run", "step")
          .whereLayer("loss")
          .mayOnlyBeAccessedByLayers("engine", "step", "check", "pass")
          .whereLayer("optimizer")
          .mayOnlyBeAccessedByLayers("engine", "run")
          .whereLayer("mechanism")
          .mayOnlyBeAccessedByLayers("engine", "run", "step", "plan", "optimizer")
          .whereLayer("sampling")
          .mayOnlyBeAccessedByLayers("engine", "step")
          .whereLayer("checkpoint")
          .mayOnlyBeAccessedByLayers("run")
          .whereLayer("clipping")
          .mayOnlyBeAccessedByLayers("engine", "plan", "step", "run")
          .whereLayer("validation")
          .mayOnlyBeAccessedByLayers("engine", "pass")
          .whereLayer("ghost")
          .mayOnlyBeAccessedByLayers("engine", "pass", "check", "step", "validation", "mechanism")
          .whereLayer("rule")
          .mayOnlyBeAccessedByLayers("engine", "ghost", "hook")
          .whereLayer("hook")
          .mayOnlyBeAccessedByLayers(
              "engine", "pass", "check", "step", "ghost", "sampling", "validation", "loss", "run")
          .whereLayer("nn")
          .mayOnlyBeAccessedByLayers("engine", "ghost", "validation")
          .whereLayer("state")
          .mayOnlyBeAccessedByLayers("engine", "pass", "check", "step", "sampling")
          .whereLayer("djl")
          .mayOnlyBeAccessedByLayers("ghost", "hook", "nn", "sampling", "validation", "state");

  @ArchTest
  static final ArchRule privatizedGradient_isMadeByTheMechanismAlone =
      noClasses()
          .that()
          .resideOutsideOfPackage("ai.fastdp.mechanism")
          .should()
          .callConstructorWhere(
              JavaCall.Predicates.target(
                  com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner(
                      DescribedPredicate.describe(
                          "PrivatizedGradient", c -> c.isEquivalentTo(PrivatizedGradient.class)))));

  @ArchTest
  static final ArchRule privatizedGradient_hasNoPublicConstructor =
      com.tngtech.archunit.lang.syntax.ArchRuleDefinition.constructors()
          .that()
          .areDeclaredIn(PrivatizedGradient.class)
          .should()
          .notBePublic()
          .andShould()
          .notBeProtected();

  @ArchTest
  static final ArchRule clippedSum_isReadByTheMechanismAlone =
      com.tngtech.archunit.lang.syntax.ArchRuleDefinition.methods()
          .that()
          .areDeclaredIn(ClippedGradientSum.class)
          .and()
          .arePublic()
          .should()
          .haveRawReturnType(void.class);

  @ArchTest
  static final ArchRule fields_areNeverPublic =
      com.tngtech.archunit.lang.syntax.ArchRuleDefinition.fields()
          .that()
          .areNotStatic()
          .should()
          .notBePublic();

  @ArchTest
  static final ArchRule randomness_isSecure =
      noClasses().should().dependOnClassesThat().haveFullyQualifiedName("java.util.Random");

  @ArchTest
  static final ArchRule publicClasses_areFinalSealedOrMeantForExtension =
      classes()
          .that()
          .arePublic()
          .and()
          .areTopLevelClasses()
          .and()
          .areNotInterfaces()
          .and()
          .areNotRecords()
          .and()
          .areNotEnums()
          .and()
          // Blocks are open, for twins to take their place.
          .areNotAssignableTo(ai.djl.nn.Block.class)
          .and()
          .resideOutsideOfPackage("ai.fastdp.accounting..")
          .should()
          .haveModifier(JavaModifier.FINAL);

  @ArchTest
  static final ArchRule internalsOfAccounting_areUsedByAccountingOnly =
      noClasses()
          .that()
          .resideOutsideOfPackage("ai.fastdp.accounting..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("ai.fastdp.accounting.internal..");

  @ArchTest
  static final ArchRule internalsOfCore_areUsedByCoreOnly =
      noClasses()
          .that()
          .resideInAnyPackage(
              "ai.fastdp.optim..",
              "ai.fastdp.examples..",
              "ai.fastdp.benchmarks..",
              "ai.fastdp.accounting..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("ai.fastdp.internal..");
}
