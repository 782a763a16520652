/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

@AnalyzeClasses(packages = "ai.fastdp", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
  private static final DescribedPredicate<JavaClass> INTERNAL_TO_CORE =
      DescribedPredicate.describe(
          "internal to the core",
          c ->
              c.getPackageName().startsWith("ai.fastdp")
                  && !c.getPackageName().equals("ai.fastdp.optim")
                  && !c.getModifiers().contains(JavaModifier.PUBLIC));

  @ArchTest
  static final ArchRule optimizers_seePublicTypesOfTheCoreAlone =
      noClasses()
          .that()
          .resideInAPackage("ai.fastdp.optim")
          .should()
          .dependOnClassesThat(INTERNAL_TO_CORE);

  @ArchTest
  static final ArchRule optimizers_seeNoRawGradients =
      noClasses()
          .that()
          .resideInAPackage("ai.fastdp.optim")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "ai.fastdp.internal.ghost", "ai.fastdp.internal.hook", "ai.fastdp.clipping")
          .orShould()
          .dependOnClassesThat()
          .haveSimpleName("ClippedGradientSum");

  @ArchTest
  static final ArchRule core_doesNotKnowTheOptimizers =
      classes()
          .that()
          .resideInAPackage("ai.fastdp.optim")
          .should()
          .onlyBeAccessed()
          .byClassesThat()
          .resideInAPackage("ai.fastdp.optim");

  @ArchTest
  static final ArchRule internalsOfAccounting_areUsedByAccountingOnly =
      noClasses()
          .that()
          .resideOutsideOfPackage("ai.fastdp.accounting..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("ai.fastdp.accounting.internal..");
}
