/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

import static com.tngtech.archunit.base.DescribedPredicate.anyElementThat;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noMethods;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

@AnalyzeClasses(
    packages = "ai.fastdp.accounting",
    importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {

  @ArchTest
  static final ArchRule packages_haveNoCycles =
      slices().matching("ai.fastdp.(**)").should().beFreeOfCycles();

  @ArchTest
  static final ArchRule accounting_knowsNoDeepLearningLibrary =
      noClasses()
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "ai.djl..",
              "ai.fastdp",
              "ai.fastdp.internal.hook..",
              "ai.fastdp.kernel..",
              "ai.fastdp.optim..");

  @ArchTest
  static final ArchRule nd4j_isUsedByFactorizationsOnly =
      noClasses()
          .that()
          .resideOutsideOfPackage("ai.fastdp.accounting.factorization..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "org.nd4j..", "org.bytedeco..", "ai.fastdp.accounting.factorization..");

  @ArchTest
  static final ArchRule nd4j_isNotInSignatures =
      noMethods()
          .that()
          .arePublic()
          .and()
          .areDeclaredInClassesThat()
          .arePublic()
          .should()
          .haveRawReturnType(resideInAPackage("org.nd4j.."))
          .orShould()
          .haveRawParameterTypes(anyElementThat(resideInAPackage("org.nd4j..")));

  @ArchTest
  static final ArchRule internals_dependOnEventsAndInternalsOnly =
      noClasses()
          .that()
          .resideInAPackage("ai.fastdp.accounting.internal..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "ai.fastdp.accounting.accountant..",
              "ai.fastdp.accounting.calibration..",
              "ai.fastdp.accounting.cli..",
              "ai.fastdp.accounting.ledger..",
              "ai.fastdp.accounting.statement..");
}
