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
          .layer("mechanism")
          .definedBy("ai.fastdp.mechanism")
          .layer("ghost")
          .definedBy("ai.fastdp.ghost")
          .layer("hook")
          .definedBy("ai.fastdp.hook")
          .layer("validation")
          .definedBy("ai.fastdp.validation")
          .layer("kernel")
          .definedBy("ai.fastdp.kernel")
          .layer("djl")
          .definedBy("ai.fastdp.djl")
          .layer("clipping")
          .definedBy("ai.fastdp.clipping")
          .layer("sampling")
          .definedBy("ai.fastdp.sampling")
          .layer("checkpoint")
          .definedBy("ai.fastdp.checkpoint")
          .layer("nn")
          .definedBy("ai.fastdp.nn")
          .layer("state")
          .definedBy("ai.fastdp.state")
          .whereLayer("engine")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("mechanism")
          .mayOnlyBeAccessedByLayers("engine")
          .whereLayer("sampling")
          .mayOnlyBeAccessedByLayers("engine")
          .whereLayer("state")
          .mayOnlyBeAccessedByLayers("engine")
          .whereLayer("checkpoint")
          .mayOnlyBeAccessedByLayers("engine")
          .whereLayer("clipping")
          .mayOnlyBeAccessedByLayers("engine")
          .whereLayer("validation")
          .mayOnlyBeAccessedByLayers("engine")
          .whereLayer("ghost")
          .mayOnlyBeAccessedByLayers("engine", "mechanism", "validation")
          .whereLayer("djl")
          .mayOnlyBeAccessedByLayers("ghost", "hook", "nn", "sampling", "validation")
          .whereLayer("hook")
          .mayOnlyBeAccessedByLayers("engine", "ghost", "sampling", "validation")
          .whereLayer("nn")
          .mayOnlyBeAccessedByLayers("engine", "ghost", "validation");

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
}
